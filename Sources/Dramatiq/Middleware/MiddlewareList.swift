extension Array where Element == any Middleware {
    /// The list with a middleware placed before the first one of a type.
    ///
    ///     let middleware = try Broker.defaultMiddleware.inserting(Tracing(), before: Retries.self)
    ///
    /// - Throws: ``BrokerError/Code/middlewareNotFound`` if the list has none of that type.
    public func inserting<Anchor: Middleware>(
        _ middleware: any Middleware,
        before anchor: Anchor.Type
    ) throws(BrokerError) -> [any Middleware] {
        var list = self
        list.insert(middleware, at: try place(of: anchor))
        return list
    }

    /// The list with a middleware placed after the first one of a type.
    ///
    /// - Throws: ``BrokerError/Code/middlewareNotFound`` if the list has none of that type.
    public func inserting<Anchor: Middleware>(
        _ middleware: any Middleware,
        after anchor: Anchor.Type
    ) throws(BrokerError) -> [any Middleware] {
        var list = self
        list.insert(middleware, at: try place(of: anchor) + 1)
        return list
    }

    /// The list with another middleware in the place of the first one of a type, say to change its settings.
    ///
    /// - Throws: ``BrokerError/Code/middlewareNotFound`` if the list has none of that type.
    public func replacing<Anchor: Middleware>(
        _ anchor: Anchor.Type,
        with middleware: any Middleware
    ) throws(BrokerError) -> [any Middleware] {
        var list = self
        list[try place(of: anchor)] = middleware
        return list
    }

    /// The name of the first middleware that stands in the list again: of the same type and under the same name.
    var duplicate: String? {
        var seen: Set<[String]> = []
        return first { !seen.insert([String(reflecting: type(of: $0)), $0.name]).inserted }?.name
    }

    private func place<Anchor: Middleware>(of anchor: Anchor.Type) throws(BrokerError) -> Int {
        guard let place = firstIndex(where: { $0 is Anchor }) else {
            throw .middlewareNotFound(name: "\(anchor)")
        }
        return place
    }
}
