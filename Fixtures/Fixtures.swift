/// Sample data that the binary carries, made by this project.
public enum Fixtures {
}
