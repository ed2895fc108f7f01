print("martlet-gateway")
