import CoreMetrics

// A figure is made once for each combination of labels and then kept: to make one is dear.
extension MetricDefinition {
    func counter(_ factory: any MetricsFactory, _ values: String...) -> Counter {
        Counter(label: name, dimensions: dimensions(values), factory: factory)
    }

    func gauge(_ factory: any MetricsFactory, _ values: String...) -> Meter {
        Meter(label: name, dimensions: dimensions(values), factory: factory)
    }

    func histogram(_ factory: any MetricsFactory, _ values: String...) -> Recorder {
        Recorder(label: name, dimensions: dimensions(values), aggregate: true, factory: factory)
    }

    private func dimensions(_ values: [String]) -> [(String, String)] {
        Array(zip(labels, values))
    }
}
