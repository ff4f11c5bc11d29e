def get_index(service_info):
    return service_info
