print("prologue")
