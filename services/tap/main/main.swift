print("martlet-tap")
