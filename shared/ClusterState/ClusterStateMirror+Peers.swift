import MessageBus
import Model

extension ClusterStateMirror {
    /// Where the peer is: a manager where the configuration says, everybody else where the cluster's state says.
    public func endpoint(of name: NodeName) -> PeerEndpoint? {
        let known = view.members[name].map { PeerEndpoint($0) }
        guard var configured = bootstrap[name] else {
            guard let address = addresses[name], var moved = known else { return known }
            moved.address = address
            return moved
        }
        if configured.publisher.isEmpty, let known { configured.publisher = known.publisher }
        return configured
    }

    /// Who has this key: a bootstrap manager or an enrolled member.
    public func peer(publicKey: [UInt8]) -> PeerEndpoint? {
        if let member = view.member(publicKey: publicKey) { return PeerEndpoint(member) }
        return bootstrap.values.first { $0.publicKey == publicKey }
    }

    /// Managers to ask, the one that answered last first.
    var managers: [NodeName] {
        let (view, preferred) = state.withLock { ($0.view, $0.preferred) }
        let names = Set(bootstrap.keys).union(view.managers).sorted()
        guard let preferred, names.contains(preferred) else { return names }
        return [preferred] + names.filter { $0 != preferred }
    }

    /// Listens to every manager whose publisher is known.
    func updateSubscriptions() {
        guard let bus = state.withLock({ $0.bus }) else { return }
        for name in managers {
            guard let endpoint = endpoint(of: name), !endpoint.publisher.isEmpty,
                state.withLock({ $0.subscriptions[name] == nil })
            else { continue }
            let token = bus.subscribe(to: name, [.stateChanged]) { [weak self] _ in self?.wake() }
            let surplus: SubscriptionToken? = state.withLock {
                guard $0.bus != nil, $0.subscriptions[name] == nil else { return token }
                $0.subscriptions[name] = token
                return nil
            }
            if let surplus { bus.unsubscribe(surplus) }
        }
    }
}
