G¢B
usertommy0123456789abcdef01234567"a*typing2{"on":true}8ˆ'