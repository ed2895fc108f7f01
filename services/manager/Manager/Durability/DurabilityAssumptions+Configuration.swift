import Configuration
import Model

extension DurabilityAssumptions {
    init(_ configuration: Configuration) {
        annualFailureRate = configuration[ManagerSettings.diskFailureRate]
        corruptionsPerYear = configuration[ManagerSettings.copyCorruptionRate]
        waitingSeconds = configuration[ManagerSettings.repairWait] / .seconds(1)
        repairBytesPerSecond = Double(configuration[ManagerSettings.repairRateAssumed].bytes)
        detectionSeconds = configuration[ManagerSettings.failureTimeout] / .seconds(1)
    }
}
