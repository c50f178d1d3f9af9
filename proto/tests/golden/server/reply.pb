B
{"username":"tommy"}