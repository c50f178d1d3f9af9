%ò 
user.get{"username":"tommy"}