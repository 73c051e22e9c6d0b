/// Messages as Python's dramatiq writes them.
enum SampleMessage {
    /// About 250 bytes: two arguments, two options.
    static let small = message(
        args: #"["a.png",200]"#,
        options: #"{"max_retries":3,"redis_message_id":"0f0d0be2-6a6b-4f55-9a3c-6f3f0c5f7f10"}"#
    )

    /// About 20 KB: records with text, numbers, escapes and nesting.
    static let large: [UInt8] = {
        let records = (0..<140).map { number in
            #"{"id":\#(number),"path":"albums/2026/summer/photo-\#(1000 + number).png","width":\#(number * 7),"#
                + #""ratio":0.\#(562 + number),"tags":["beach","caf\u00e9",null,true],"owner":{"name":"Zo\u00eb"}}"#
        }
        return message(args: "[\(records.joined(separator: ","))]", options: "{}")
    }()

    private static func message(args: String, options: String) -> [UInt8] {
        let text =
            #"{"queue_name":"images","actor_name":"resize","args":\#(args),"kwargs":{},"options":\#(options),"#
            + #""message_id":"5a1f6c1e-0b7c-4a53-8f0a-2f6f3b0e9d11","message_timestamp":1795434026512}"#
        return Array(text.utf8)
    }
}
