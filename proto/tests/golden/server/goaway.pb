š
draind°ê ˆ'*e