import Testing

@testable import Repair

@Suite struct TaskScheduleTests {
    private func at(_ seconds: Double) -> TaskSchedule.Moment {
        .init(elapsed: .seconds(seconds), milliseconds: Int64(seconds * 1000))
    }

    private func started(_ directives: [TaskSchedule.Directive]) -> [String] {
        directives.compactMap { if case .start(let task) = $0 { task.id } else { nil } }
    }

    private let done = TaskOutcome.proved("equal")

    @Test("A task that is asked for is stored, then started; the same work is not done twice")
    func submit() throws {
        var schedule = TaskSchedule()
        let (id, directives) = try schedule.submit(.recoverNode, ["storage-1"], now: at(1))
        #expect(id == "1" && schedule[id]?.phase == .running && started(directives) == ["1"])
        guard case .store(let stored) = directives.first else { return #expect(Bool(false), "nothing was stored") }
        #expect(stored.phase == .waiting && stored.arguments == ["storage-1"])
        #expect(try schedule.submit(.recoverNode, ["storage-1"], now: at(2)) == ("1", []))
    }

    @Test("Tasks of one lane run one after the other, those of others beside them")
    func lanes() throws {
        var schedule = TaskSchedule()
        _ = try schedule.submit(.recoverNode, ["a"], now: at(1))
        let (second, directives) = try schedule.submit(.recoverConsistency, ["b"], now: at(1))
        #expect(started(directives).isEmpty && schedule[second]?.phase == .waiting)
        #expect(started(try schedule.submit(.recoverFile, ["x/y"], now: at(1)).1) == ["3"])
        let after = schedule.ended("1", done, progress: TaskProgress(), now: at(2))
        #expect(started(after) == [second])
        #expect(schedule["1"]?.phase == .done && schedule["1"]?.outcome?.isProved == true)
    }

    @Test("What an operator asked for goes before what comes again by itself")
    func order() throws {
        var schedule = TaskSchedule()
        schedule.establish(.antiEntropy, every: .seconds(60), first: .seconds(5), now: at(0))
        _ = try schedule.submit(.recoverNode, ["a"], now: at(1))
        _ = try schedule.submit(.recoverNode, ["b"], now: at(1))
        #expect(started(schedule.tick(now: at(10))).isEmpty)
        #expect(started(schedule.ended("1", done, progress: TaskProgress(), now: at(11))) == ["2"])
        #expect(started(schedule.ended("2", done, progress: TaskProgress(), now: at(12))) == ["anti-entropy"])
    }

    @Test("A standing task comes again after its interval, or earlier; at once when it was woken meanwhile")
    func standing() {
        var schedule = TaskSchedule()
        let name = "damage-repair"
        schedule.establish(.damage, every: .seconds(60), first: .zero, now: at(0))
        #expect(started(schedule.tick(now: at(0))) == [name])
        var outcome = done
        outcome.again = .seconds(3)
        _ = schedule.ended(name, outcome, progress: TaskProgress(), now: at(1))
        #expect(schedule.nextDue == .seconds(4))
        #expect(started(schedule.tick(now: at(3.9))).isEmpty)
        #expect(started(schedule.tick(now: at(4))) == [name])
        #expect(schedule.wake(.damage, now: at(5)).isEmpty)
        #expect(started(schedule.ended(name, done, progress: TaskProgress(), now: at(6))) == [name])
        _ = schedule.ended(name, done, progress: TaskProgress(), spread: 1.5, now: at(7))
        #expect(schedule.nextDue == .seconds(97))
        #expect(started(schedule.wake(.damage, now: at(8))) == [name])
    }

    @Test("A paused task does not start; one that is paused in the middle keeps its lane and is told")
    func pause() throws {
        var schedule = TaskSchedule()
        schedule.establish(.damage, every: .seconds(60), first: .seconds(1), now: at(0))
        _ = try schedule.pause("damage-repair", true, now: at(0))
        #expect(started(schedule.tick(now: at(2))).isEmpty && schedule.nextDue == nil)
        #expect(started(try schedule.pause("damage-repair", false, now: at(3))) == ["damage-repair"])
        let (id, _) = try schedule.submit(.recoverNode, ["a"], now: at(4))
        let directives = try schedule.pause(id, true, now: at(5))
        #expect(directives.contains { if case .adjust(let task) = $0 { task.isPaused } else { false } })
        let (other, next) = try schedule.submit(.recoverNode, ["b"], now: at(6))
        #expect(started(next).isEmpty && schedule[other]?.phase == .waiting)
    }

    @Test("A running task is stopped by a cancel, a waiting one is over at once, a standing one cannot be")
    func cancel() throws {
        var schedule = TaskSchedule()
        schedule.establish(.damage, every: .seconds(60), first: .seconds(1), now: at(0))
        _ = try schedule.submit(.recoverNode, ["a"], now: at(1))
        _ = try schedule.submit(.recoverNode, ["b"], now: at(1))
        #expect(try schedule.cancel("1", now: at(2)) == [.stop("1")])
        _ = try schedule.cancel("2", now: at(2))
        #expect(schedule["2"]?.phase == .cancelled)
        _ = schedule.ended("1", .failed("ended"), progress: TaskProgress(), now: at(3))
        #expect(schedule["1"]?.phase == .cancelled)
        #expect(throws: TaskSchedule.Refusal.over) { try schedule.cancel("1", now: at(4)) }
        #expect(throws: TaskSchedule.Refusal.standing) { try schedule.cancel("damage-repair", now: at(4)) }
        #expect(throws: TaskSchedule.Refusal.unknown) { try schedule.pause("9", true, now: at(4)) }
    }

    @Test("A new process goes on with what was stored: what ran begins again, pauses and numbers stay")
    func restart() throws {
        var schedule = TaskSchedule()
        schedule.establish(.damage, every: .seconds(60), first: .seconds(1), now: at(0))
        _ = try schedule.pause("damage-repair", true, now: at(0))
        for index in 1...11 { _ = try schedule.submit(.recoverNode, ["n\(index)"], now: at(1)) }
        _ = schedule.ended("1", done, progress: TaskProgress(), now: at(2))
        var next = TaskSchedule(kept: schedule.all.reversed())
        next.establish(.damage, every: .seconds(60), first: .zero, now: at(0))
        #expect(started(next.tick(now: at(0))) == ["2"])
        #expect(next["damage-repair"]?.isPaused == true && next["damage-repair"]?.phase == .waiting)
        #expect(next["1"]?.phase == .done && next["2"]?.phase == .running && next["3"]?.phase == .waiting)
        #expect(try next.submit(.recoverFile, ["x/y"], now: at(1)).id == "12")
    }

    @Test("Open tasks are bounded, and the oldest of those that are over are forgotten")
    func bounds() throws {
        var schedule = TaskSchedule()
        for index in 0..<TaskSchedule.openMax { _ = try schedule.submit(.recoverFile, ["b/\(index)"], now: at(1)) }
        #expect(throws: TaskSchedule.Refusal.full) { try schedule.submit(.recoverFile, ["b/more"], now: at(1)) }
        var forgotten = 0
        for number in 1...(TaskSchedule.finishedMax + 20) {
            if number > TaskSchedule.openMax { _ = try schedule.submit(.recoverFile, ["b/\(number)"], now: at(2)) }
            let directives = schedule.ended("\(number)", done, progress: TaskProgress(), now: at(3))
            forgotten += directives.count { if case .forget = $0 { true } else { false } }
        }
        #expect(forgotten == 20 && schedule.all.count == TaskSchedule.finishedMax)
        #expect(schedule["20"] == nil && schedule["21"] != nil)
    }
}
