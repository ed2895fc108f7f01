print("martlet-admin")
