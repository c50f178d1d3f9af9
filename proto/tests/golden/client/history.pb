
j
s.1.2	 d*text