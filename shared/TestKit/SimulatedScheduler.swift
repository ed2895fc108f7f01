/// A clock and a list of what is to happen. Nothing runs by itself: `run` takes one event after the other, in the order
/// of their times and, at one time, of their making. So a run is a function of its seed.
public final class SimulatedScheduler {
    /// Microseconds since the start.
    public private(set) var now = 0
    /// Events that have run: a strictly growing time for histories.
    public private(set) var step = 0

    private struct Event {
        var time: Int
        var number: Int
        var action: () -> Void
        func isBefore(_ other: Event) -> Bool { (time, number) < (other.time, other.number) }
    }

    /// A binary heap.
    private var events: [Event] = []
    private var made = 0

    public init() {}

    public func after(_ microseconds: Int, _ action: @escaping () -> Void) {
        made += 1
        events.append(Event(time: now + max(microseconds, 0), number: made, action: action))
        siftUp(events.count - 1)
    }

    /// Runs until nothing is left to do, or the limit of events is reached. Returns whether nothing is left.
    @discardableResult
    public func run(limit: Int = .max) -> Bool {
        var left = limit
        while let event = popFirst() {
            now = event.time
            step += 1
            event.action()
            left -= 1
            if left == 0 { return events.isEmpty }
        }
        return true
    }

    private func popFirst() -> Event? {
        guard let first = events.first else { return nil }
        let last = events.removeLast()
        if !events.isEmpty {
            events[0] = last
            siftDown()
        }
        return first
    }

    private func siftUp(_ start: Int) {
        var index = start
        while index > 0, events[index].isBefore(events[(index - 1) / 2]) {
            events.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private func siftDown() {
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < events.count {
                if events[child].isBefore(events[least]) { least = child }
            }
            if least == index { return }
            events.swapAt(index, least)
            index = least
        }
    }
}
