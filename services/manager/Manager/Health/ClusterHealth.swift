import ClusterState
import Model
import Ring
import Wire

/// Judges the cluster from what is known of it. Pure.
struct ClusterHealth: Sendable {
    typealias Finding = HealthReport.Finding

    let view: ClusterView
    let liveness: [NodeName: Liveness]
    let survey: ClusterSurvey
    /// Nodes of the ring that do not answer, and what is to become of them.
    var dead: DeadNodes
    /// Whether the ring in the store is the newest one.
    var standing = RingStanding.newest

    init(
        view: ClusterView, liveness: [NodeName: Liveness], survey: ClusterSurvey, deadNodeWait: Duration? = nil,
        now: Int64 = 0, standing: RingStanding = .newest
    ) {
        self.view = view
        self.liveness = liveness
        self.survey = survey
        self.standing = standing
        dead = DeadNodes(view, liveness, wait: deadNodeWait, now: now)
    }

    func report() -> HealthReport {
        let partitions = partitionCounts
        let findings =
            ringFindings(partitions) + memberFindings() + serviceFindings()
            + DiskFindings(survey: survey).all + hintFindings()
        let sorted = findings.enumerated().sorted {
            ($1.element.grade, $0.offset) < ($0.element.grade, $1.offset)
        }.map(\.element)
        let risk =
            partitions.withOneReplica > 0 || partitions.withoutReadQuorum > 0 || partitions.withoutWriteQuorum > 0
            || doubtMeetsAbsence(partitions)
        return HealthReport(
            health: sorted.first?.grade ?? .ok, dataAtRisk: risk,
            partitions: partitions, nodes: nodes(), waitingHints: waitingHints, findings: sorted)
    }

    // MARK: - Who answers

    /// Whoever was not judged since this manager's start counts as its state says.
    private func answers(_ name: NodeName) -> Bool {
        guard let life = liveness[name], life.verdict != .unknown else { return view.members[name]?.state == .running }
        return life.isAlive
    }

    private var storage: [MemberRecord] { view.storageNodes.compactMap { view.members[$0] } }

    private func nodes() -> HealthReport.Nodes {
        var nodes = HealthReport.Nodes()
        nodes.total = storage.count
        nodes.suspended = storage.count { $0.state == .suspended }
        nodes.running = storage.count { $0.state == .running && answers($0.nodeName) }
        nodes.down = storage.count { !answers($0.nodeName) }
        return nodes
    }

    // MARK: - Partitions

    /// Of the ring, and what its partitions lack.
    var partitionCounts: HealthReport.Partitions {
        var counts = HealthReport.Partitions()
        guard let ring = view.ring else { return counts }
        counts.total = ring.partitionCount
        let alive = Set(ring.nodes.filter(answers))
        for replicas in ring.partitions {
            let sets = replicas.sets.map { set in
                (level: view.consistency.inSet(of: set.count), alive: set.count(where: alive.contains))
            }
            if sets.contains(where: { $0.alive < $0.level.replicas }) { counts.degraded += 1 }
            if sets.contains(where: { $0.level.replicas > 1 && $0.alive <= 1 }) { counts.withOneReplica += 1 }
            if sets.contains(where: { $0.alive < $0.level.write }) { counts.withoutWriteQuorum += 1 }
            if sets.contains(where: { $0.alive < $0.level.read }) { counts.withoutReadQuorum += 1 }
        }
        return counts
    }

    private func ringFindings(_ counts: HealthReport.Partitions) -> [Finding] {
        guard view.ring != nil else {
            return [
                Finding(
                    .critical, "cluster", "it has no ring: nothing is served",
                    action: "martlet-adm start, once enough storage nodes are attached")
            ]
        }
        var findings = RingFindings(view: view, standing: standing).all
        let of = "of \(counts.total) partitions"
        let down = view.ring?.nodes.filter { !answers($0) } ?? []
        let start = "start \(down.map(\.rawValue).joined(separator: ", "))"
        if counts.withoutReadQuorum > 0 {
            let problem = "\(counts.withoutReadQuorum) \(of) have no read quorum: their objects cannot be read"
            findings.append(Finding(.critical, "cluster", problem, action: start))
        }
        if counts.withoutWriteQuorum > 0 {
            let problem = "\(counts.withoutWriteQuorum) \(of) have no write quorum: writes to them are refused"
            findings.append(Finding(.critical, "cluster", problem, action: start))
        }
        if counts.withOneReplica > 0 {
            let problem =
                "\(counts.withOneReplica) \(of) have a single replica that answers: its disk must not fail now"
            findings.append(Finding(.critical, "cluster", problem, action: start))
        } else if counts.degraded > 0 {
            let problem = "\(counts.degraded) \(of) have fewer replicas that answer than \(view.consistency.replicas)"
            findings.append(Finding(.degraded, "cluster", problem, action: start))
        }
        if doubtMeetsAbsence(counts) {
            let problem = "disks that have lost records do not vote, and nodes are down: some keys may have no quorum"
            findings.append(Finding(.critical, "cluster", problem, action: start))
        }
        return findings
    }

    /// A replica in doubt has no vote: beside others that are down, quorums may be missing that the ring does not show.
    private func doubtMeetsAbsence(_ counts: HealthReport.Partitions) -> Bool {
        counts.degraded > 0
            && survey.nodes.values.contains { $0.disks?.disks.contains { $0.doubtfulSlots > 0 } ?? false }
    }

    // MARK: - Members

    private func memberFindings() -> [Finding] {
        let ringNodes = Set(view.ring?.nodes ?? [])
        return storage.compactMap { member -> Finding? in
            let name = member.name
            let isDown = !answers(member.nodeName)
            switch member.state {
            case .suspended:
                let problem = "suspended \(since(member))" + (isDown ? ", and down" : "")
                return Finding(
                    isDown ? .degraded : .ok, name, problem,
                    action: "martlet-adm resume \(name), when the work on it is done")
            case .restarted:
                return Finding(
                    .degraded, name, "restarted while it was being taken out", action: "martlet-adm resume \(name)")
            case .detached where ringNodes.contains(member.nodeName):
                return Finding(
                    isDown ? .degraded : .ok, name,
                    "is to leave the ring \(since(member))" + (isDown ? ", and does not answer" : ""),
                    action: "martlet-adm rebalance, or rebalance-status when it is under way")
            case _ where isDown && ringNodes.contains(member.nodeName):
                return Finding(
                    .degraded, name, "does not answer \(since(member))\(outlook(member.nodeName))",
                    action: "start it, look at its log")
            case .attached where !ringNodes.isEmpty && !isDown:
                return Finding(
                    .ok, name, "is attached and holds no part of the ring",
                    action: "martlet-adm rebalance, or remove-node")
            default: return nil
            }
        }
    }

    /// What becomes of a node that does not answer.
    private func outlook(_ name: NodeName) -> String {
        if let time = dead.later[name] { return "; others get its replicas at \(timeText(milliseconds: time))" }
        if dead.due.contains(name) { return "; a plan is about to give others its replicas" }
        if dead.indispensable.contains(name) {
            return "; too few nodes are left to give its replicas to others: add one"
        }
        return ""
    }

    private func since(_ member: MemberRecord) -> String {
        member.updatedMilliseconds > 0 ? "since \(timeText(milliseconds: member.updatedMilliseconds))" : ""
    }

    private func serviceFindings() -> [Finding] {
        let missing: [(role: MemberRole, grade: HealthReport.Grade, problem: String, action: String)] = [
            (.gateway, .critical, "no gateway runs: clients are not served", "start a gateway"),
            (.replicator, .degraded, "no replicator runs: missed writes are not delivered", "start a replicator"),
            (.repair, .degraded, "no repair process runs: nothing is compared or healed", "start a repair process"),
        ]
        let none = missing.filter { entry in
            !view.members.values.contains { $0.role == entry.role && answers($0.nodeName) }
        }.map { Finding($0.grade, "cluster", $0.problem, action: $0.action) }
        let stopped = view.members.values.filter { member in
            (member.role == .manager || missing.contains { $0.role == member.role }) && !answers(member.nodeName)
        }.sorted { $0.name < $1.name }
        return none
            + stopped.map {
                Finding(
                    .degraded, $0.name, "does not answer \(since($0))",
                    action: "start it, or martlet-adm remove-node \($0.name)")
            }
    }

    // MARK: - Missed writes

    private var waitingHints: UInt64 {
        view.storageNodes.reduce(0) { sum, name in
            sum + (survey.nodes[name]?.queues?.mqStats.reduce(0) { $0 + $1.messages } ?? 0)
        }
    }

    private func hintFindings() -> [Finding] {
        let suspended = survey.nodes.sorted { $0.key < $1.key }.flatMap { name, node in
            guard view.members[name]?.role == .replicator else { return [Finding]() }
            return (node.queues?.mqStats ?? []).filter { $0.state == "suspending" }.map {
                Finding(
                    .degraded, name.rawValue, "the queue \($0.id) is suspended",
                    action: "martlet-adm mq-resume \(name) \($0.id)")
            }
        }
        guard waitingHints > 0 else { return suspended }
        let everybodyAnswers = view.ring?.nodes.allSatisfy(answers) ?? true
        let problem = "\(waitingHints) missed writes wait for delivery"
        let action = everybodyAnswers ? "" : "they are delivered when the nodes that missed them answer"
        return suspended + [Finding(everybodyAnswers ? .ok : .degraded, "cluster", problem, action: action)]
    }
}
