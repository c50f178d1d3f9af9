^ê[
8
anna0123456789abcdef01234567Ann Ã©"user*a0Ğ•ÿ¼1s.1.2"typing*{"on":true}2a