}Šx
8
anna0123456789abcdef01234567Ann Ã©"user*a0Ğ•ÿ¼19
tommy0123456789abcdef01234567Ann Ã©"user*a0Ğ•ÿ¼1c