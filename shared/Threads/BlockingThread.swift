import Glibc

/// A thread with a name, for work that blocks. It ends when its body returns.
public final class BlockingThread: @unchecked Sendable {
    private var thread = pthread_t()
    private var joined = false

    public init(name: String, _ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Body(name: name, run: body))
        let result = pthread_create(
            &thread, nil,
            { argument in
                let body = Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
                nameThread(body.name)
                body.run()
                return nil
            }, box.toOpaque())
        precondition(result == 0, "pthread_create: \(String(cString: strerror(result)))")
    }

    /// Waits until the body has returned. Once only.
    public func join() {
        guard !joined else { return }
        joined = true
        pthread_join(thread, nil)
    }

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void
        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }
}

/// Shows the name in `top` and debuggers. (The C function for it is hidden from Swift.)
private func nameThread(_ name: String) {
    let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    let bytes = Array(name.utf8.prefix(15))
    _ = write(descriptor, bytes, bytes.count)
    close(descriptor)
}
