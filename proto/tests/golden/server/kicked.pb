$’!other_device"
ad€Ð•ÿ¼1