/// The version of this build, as `--version`, `martlet-adm version` and the metrics show it.
public enum Version {
    public static let current = "0.1.0"
}
