public import Dramatiq
import Foundation

/// The files of `Fixtures/`, captured from Python's packages.
public enum Fixtures {
    private static let root = URL(filePath: #filePath).appending(path: "../../../Fixtures").standardized

    public static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: root.appending(path: path)))
    }

    /// A file of rows or members in JSON.
    public static func json(_ path: String) throws -> JSONValue {
        try JSONValue(parsing: bytes(path))
    }

    /// The rows of a file that holds an array.
    public static func rows(_ path: String) throws -> [JSONValue] {
        guard let rows = try json(path).arrayValue else { throw NotRows(path: path) }
        return rows.elements
    }

    public struct NotRows: Error {
        let path: String
    }

    /// The names of a folder's files, sorted.
    public static func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path).sorted()
    }
}
