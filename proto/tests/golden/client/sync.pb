 	b

s.1.2)2latestÈ €€