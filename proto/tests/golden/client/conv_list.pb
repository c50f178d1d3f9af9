(r$
1:s.1.2€Ð•ÿ¼1È"single"group(