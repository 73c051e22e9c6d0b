#if Plugins
    extension [String] {
        /// Each of them once, in their order.
        var distinct: [String] {
            var known: Set<String> = []
            return filter { known.insert($0).inserted }
        }
    }
#endif
