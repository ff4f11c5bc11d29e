def get_metrics(metrics):
    return metrics.exposition()


def get_metrics_history(metrics):
    return metrics.history()
