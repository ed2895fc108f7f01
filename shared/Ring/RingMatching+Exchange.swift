import Model

extension RingMatching {
    /// Gives replicas back to nodes that had them in the old table, wherever a chain of exchanges in other partitions makes
    /// up for it without moving anything more.
    mutating func bringBack(_ old: RingTable) {
        let indexes = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        let had = old.partitions.map { $0.current.compactMap { indexes[$0] } }
        for partition in assigned.indices {
            for gone in had[partition] where !assigned[partition].contains(gone) {
                for new in assigned[partition] where !had[partition].contains(new) {
                    guard canExchange(new, for: gone, in: partition),
                        let chain = chain(from: new, to: gone, without: partition, had)
                    else { continue }
                    exchange(new, for: gone, in: partition)
                    for link in chain { exchange(link.gives, for: link.gets, in: link.partition) }
                    break
                }
            }
        }
    }

    private struct Link {
        var partition: Int
        var gets: Int
        var gives: Int
    }

    /// Exchanges after which `start` has one replica more and `end` one less, none of which moves more than before.
    /// Breadth first, so the chain is short.
    private func chain(from start: Int, to end: Int, without taken: Int, _ had: [[Int]]) -> [Link]? {
        var links: [Int: Link] = [:]
        var queue = [start]
        var head = 0
        while head < queue.count, links[end] == nil {
            let node = queue[head]
            head += 1
            for partition in assigned.indices where partition != taken && !assigned[partition].contains(node) {
                for other in assigned[partition] where other != start && links[other] == nil {
                    // At worst a replica that moved anyway goes elsewhere.
                    guard had[partition].contains(node) || !had[partition].contains(other),
                        canExchange(other, for: node, in: partition)
                    else { continue }
                    links[other] = Link(partition: partition, gets: node, gives: other)
                    queue.append(other)
                }
            }
        }
        var chain: [Link] = []
        var node = end
        while node != start {
            guard let link = links[node], !chain.contains(where: { $0.partition == link.partition }) else { return nil }
            chain.append(link)
            node = link.gets
        }
        return chain
    }
}
