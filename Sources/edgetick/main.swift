print("edgetick")
