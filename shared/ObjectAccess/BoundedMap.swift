/// Transforms all elements, so many at a time, and gives the results in order. The first error ends it.
public func boundedMap<Element: Sendable, Value: Sendable>(
    _ elements: [Element], concurrency: Int,
    _ transform: @escaping @Sendable (Element) async throws(AccessError) -> Value
) async throws(AccessError) -> [Value] {
    let results = await boundedResults(elements, concurrency: concurrency, transform)
    var values: [Value] = []
    values.reserveCapacity(results.count)
    for result in results { values.append(try result.get()) }
    return values
}

/// Transforms all elements, so many at a time, whatever becomes of the others; results in order.
public func boundedResults<Element: Sendable, Value: Sendable>(
    _ elements: [Element], concurrency: Int,
    _ transform: @escaping @Sendable (Element) async throws(AccessError) -> Value
) async -> [Result<Value, AccessError>] {
    await withTaskGroup(of: (Int, Result<Value, AccessError>).self) { group in
        @Sendable func run(_ index: Int) async -> (Int, Result<Value, AccessError>) {
            do throws(AccessError) {
                return (index, .success(try await transform(elements[index])))
            } catch {
                return (index, .failure(error))
            }
        }
        var results: [Result<Value, AccessError>?] = Array(repeating: nil, count: elements.count)
        let first = min(max(concurrency, 1), elements.count)
        for index in 0..<first { group.addTask { await run(index) } }
        var started = first
        while let (index, result) = await group.next() {
            results[index] = result
            if started < elements.count {
                let next = started
                group.addTask { await run(next) }
                started += 1
            }
        }
        return results.compactMap(\.self)
    }
}
