def get_index(about):
    return about
