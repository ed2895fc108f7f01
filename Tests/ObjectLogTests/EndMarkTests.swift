import ObjectLog
import Testing

/// Destruction at the end of the log, which looks like an interrupted write but for the end mark.
@Suite struct EndMarkTests {
    private let directory = SimulatedDirectory()
    /// Of ten acknowledged records.
    private let positions: [LogPosition]

    init() throws {
        let open = try OpenLog(directory)
        positions = try (0..<10).map { try open.write(.text("record \($0)", payload: 100)) }
        open.log.stop()
    }

    private func erase(from offset: Int, with byte: UInt8 = 0, segment: Int = 1) {
        directory.scribble([UInt8](repeating: byte, count: (64 << 10) - offset), on: segmentName(segment), at: offset)
    }

    private func kinds(_ open: OpenLog) -> Set<String> { Set(open.report.damages.map { "\($0.kind)" }) }

    @Test("Zeros or garbage over acknowledged records at the end are a loss, and nothing is cut", arguments: [0, 0xa5])
    func overwritten(byte: UInt8) throws {
        erase(from: Int(positions[6].offset) + 20, with: byte)
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(kinds(next).contains("lostEnd"))
        #expect(next.report.cut == nil)
        #expect(next.replayed.map(\.text) == (0..<6).map { "record \($0)" })
        // No position is used again.
        #expect(next.log.end.segment == 2)
    }

    @Test("A whole segment of zeros, its header too, is no unused one")
    func erasedSegment() throws {
        erase(from: 0)
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(kinds(next) == ["lostEnd"])
        #expect(next.replayed.isEmpty && next.log.end.segment == 2)
    }

    @Test("All segments gone are a loss, and their numbers are not used again")
    func removed() throws {
        for name in try directory.names() where name.hasPrefix("segment-") { try directory.remove(name) }
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(kinds(next) == ["lostEnd"])
        #expect(next.log.end.segment == 2)
    }

    @Test("The loss is told at every start until it is remembered by a record that is durable")
    func remembered() throws {
        erase(from: Int(positions[3].offset))
        for _ in 0..<2 {
            let next = try OpenLog(directory)
            #expect(kinds(next).contains("lostEnd"))
            next.log.stop()
        }
        let open = try OpenLog(directory)
        open.log.lossIsRemembered(at: try open.log.append(.text("remembered")))
        open.log.stop()
        let last = try OpenLog(directory)
        defer { last.log.stop() }
        #expect(!kinds(last).contains("lostEnd"))
        #expect(last.replayed.last?.text == "remembered")
    }

    @Test("One slot of the mark is enough; without both of them nobody knows")
    func slots() throws {
        directory.damage("end", at: 4096)
        try OpenLog(directory).log.stop()
        directory.damage("end", at: 0)
        directory.damage("end", at: 4096 + 8)
        let next = try OpenLog(directory)
        #expect(kinds(next) == ["lostEnd"])
        #expect(next.replayed.count == 10)
        next.log.lossIsRemembered(at: try next.log.append(.text("remembered")))
        next.log.stop()
        try OpenLog(directory).log.stop()
        try directory.remove("end")
        let gone = try OpenLog(directory)
        defer { gone.log.stop() }
        #expect(kinds(gone) == ["lostEnd"])
    }

    @Test("A log without a mark, of an earlier version, gets one and is taken for whole")
    func earlier() throws {
        try directory.remove("end")
        let owner = try directory.open("owner").read(count: 1000, at: 0)
        let text = String(decoding: owner, as: UTF8.self).replacing("end marked\n", with: "")
        try directory.create("owner").write(Array(text.utf8), at: 0)
        let next = try OpenLog(directory)
        #expect(next.report.damages.isEmpty && next.replayed.count == 10)
        next.log.stop()
        erase(from: Int(positions[6].offset))
        let last = try OpenLog(directory)
        defer { last.log.stop() }
        #expect(kinds(last) == ["lostEnd"])
    }

    @Test("A busy log syncs its mark seldom, an idle one at once")
    func syncs() throws {
        let open = try OpenLog(directory)
        let before = directory.syncs
        for number in 0..<50 { try open.write(.text("busy \(number)")) }
        #expect(directory.syncs - before <= 50 + 10)
        open.log.stop()
    }
}

/// Random destruction of the end after a kill or a power cut: see ``EndMark``.
@Suite struct DestroyedEndTests {
    @Test("Whatever is destroyed of the end after a kill, no acknowledged record is missing without a word")
    func killed() throws {
        var (losses, harmless) = (0, 0)
        for seed in UInt64(1)...150 {
            var generator = SplitMix(state: seed)
            var directory = SimulatedDirectory()
            directory.crash(after: Int.random(in: 20...120, using: &generator), reads: true)
            guard let open = try? OpenLog(directory, lazyDelay: .milliseconds(1)) else { continue }
            var acknowledged: [(text: String, position: LogPosition)] = []
            while open.collector.failure == nil {
                let entry = LogEntry.text("\(acknowledged.count)", payload: Int.random(in: 0...9000, using: &generator))
                guard let position = try? open.log.append(entry) else { break }
                if open.collector.wait(for: position) { acknowledged.append(("\(acknowledged.count)", position)) }
            }
            open.log.stop()
            directory = directory.afterCrash(.kept, using: &generator)
            let end = open.collector.end
            let from = Int.random(in: 64..<Int(end.offset) + 2000, using: &generator)
            let byte: UInt8 = [0, 0x5a].randomElement(using: &generator)!
            directory.scribble(
                [UInt8](repeating: byte, count: max(0, (64 << 10) - from)), on: segmentName(Int(end.segment)), at: from)
            let next = try OpenLog(directory)
            next.log.stop()
            let isTold = next.report.damages.contains { $0.kind == .lostEnd || $0.kind == .payload }
            let isMissing = next.replayed.filter(\.payloadIntact).count < acknowledged.count
            if isMissing, !isTold { Issue.record("seed \(seed): \(next.report.damages)") }
            if isTold { losses += 1 } else { harmless += 1 }
        }
        #expect(losses > 50 && harmless > 5)
    }
}
