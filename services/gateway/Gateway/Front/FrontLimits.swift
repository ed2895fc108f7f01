import NIOCore

/// What one client, and all clients together, may ask of a gateway.
struct FrontLimits: Sendable {
    var connectionsMax = 4096
    /// Requests that are carried out at a time; further ones are told to slow down.
    var requestsMax = 2048
    /// Half of the requests may take so much longer than usual before further ones are told to slow down; zero: whatever they take.
    var overloadDelay: Duration = .milliseconds(100)
    var memoryLimit = 512 << 20
    /// How long a request waits for memory.
    var memoryPatience: Duration = .seconds(30)
    /// From the connection to its first complete head.
    var headTimeout: TimeAmount = .seconds(20)
    /// Between requests.
    var idleTimeout: TimeAmount = .seconds(60)
    /// Without a byte of the body that we wait for, or without one that the client takes.
    var bodyTimeout: TimeAmount = .seconds(30)
    /// A client that sends slower than this for `bodyTimeout` is given up.
    var bytesPerSecondMin = 256
    /// How long a graceful stop waits for requests.
    var stopTimeout: TimeAmount = .seconds(10)
    /// After an answer to a request whose body is not wanted: how long and how much is read and thrown away, so that the
    /// client gets to read the answer.
    var lingerTimeout: TimeAmount = .seconds(2)
    var lingerBytesMax = 4 << 20
    /// A rest of a body up to this is read and thrown away, and the connection goes on.
    var drainBytesMax: UInt64 = 64 << 10
}
