import Configuration
import Model

extension DurabilityAssumptions {
    init(_ configuration: Configuration) {
        annualFailureRate = configuration[ManagerSettings.diskFailureRate]
        corruptionsPerYear = configuration[ManagerSettings.copyCorruptionRate]
        if let wait = ManagerSettings.deadNodeWait(configuration) {
            waitingSeconds = wait / .seconds(1)
        } else {
            (waitingSeconds, isRepairAutomatic) = (Self.operatorSeconds, false)
        }
        repairBytesPerSecond = Double(configuration[ManagerSettings.repairRateAssumed].bytes)
        detectionSeconds = configuration[ManagerSettings.failureTimeout] / .seconds(1)
    }
}
