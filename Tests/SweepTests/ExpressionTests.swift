import Files
import Sweep
import TestSupport
import Testing

@Suite struct ExpressionTests {
    /// Random conditions over random rows with nulls select the same rows as SQLite does.
    @Test func agreesWithSQLite() throws {
        let program = """
            import json, random, sqlite3, sys
            random.seed(5)
            columns = {'a.b': 'int', 'x': 'real', 'c.name': 'text', 'd_1': 'text', 'n': 'int'}
            def literal(kind):
                if kind == 'int': return str(random.randint(-3, 3))
                if kind == 'real': return repr(random.choice([-1.5, 0.0, 0.25, 1e-3, 2.0]))
                return "'" + random.choice(['red', 'green', 'Green', "it''s", '', 'blue']) + "'"
            def operand(kind):
                return random.choice([c for c, k in columns.items() if k == kind]) if random.random() < .2 else literal(kind)
            def test():
                name, kind = random.choice(list(columns.items()))
                form = random.random()
                if form < .15: return f'{name} is null'
                if form < .3: return f'{name} IS NOT NULL'
                if form < .37 and kind == 'text':
                    pattern = random.choice(['%', 'r%', '%E%', 'gr__n', '_', '%''t%', "it''s", 'GREEN', '%r%e%', ''])
                    return f"{name} {random.choice(['like', 'not like', 'LIKE'])} '{pattern}'"
                if form < .37:
                    return f"{name} {random.choice(['between', 'not between'])} {literal(kind)} and {literal(kind)}"
                if form < .5:
                    values = [literal(kind) for _ in range(random.randint(1, 3))] + (['null'] if random.random() < .2 else [])
                    return f"{name} {random.choice(['in', 'not in'])} ({', '.join(values)})"
                return f"{name} {random.choice(['=', '==', '!=', '<>', '<', '<=', '>', '>='])} {operand(kind)}"
            def condition(depth):
                if depth == 0 or random.random() < .2: return test()
                form = random.random()
                if form < .25: return f'not {condition(depth - 1)}' if random.random() < .5 else f'not ({condition(depth - 1)})'
                joined = f" {random.choice(['and', 'or', 'AND'])} ".join(condition(depth - 1) for _ in range(2))
                return joined if random.random() < .5 else f'({joined})'
            def value(kind):
                if random.random() < .25: return None
                return {'int': lambda: random.randint(-3, 3), 'real': lambda: random.choice([-1.5, 0.0, 0.25, 1e-3, 2.0]),
                        'text': lambda: random.choice(['red', 'green', 'Green', "it's", '', 'blue'])}[kind]()
            rows = [[value(k) for k in columns.values()] for _ in range(60)]
            db = sqlite3.connect(':memory:')
            db.execute('create table t (i integer, ' + ', '.join(f'"{c}"' for c in columns) + ')')
            db.executemany('insert into t values (?, ?, ?, ?, ?, ?)', [[i, *r] for i, r in enumerate(rows)])
            cases = []
            import re
            for _ in range(400):
                text = condition(3)
                pieces = re.split(r"('(?:[^']|'')*')", text)
                sql = ''.join(p if p.startswith("'") else re.sub(r'(?<![\\w.])(a\\.b|c\\.name)(?![\\w.])', r'"\\1"', p) for p in pieces)
                cases.append({'text': text, 'rows': [r[0] for r in db.execute(f'select i from t where {sql} order by i')]})
            print(json.dumps({'columns': list(columns), 'rows': rows, 'cases': cases}))
            """
        let answer = try pythonJSON(program)
        let columns = try #require(answer["columns"]?.arrayValue).compactMap(\.stringValue)
        let rows = try #require(answer["rows"]?.arrayValue).compactMap(\.arrayValue)
            .map { Dictionary(uniqueKeysWithValues: zip(columns, $0)) }
        let cases = try #require(answer["cases"]?.arrayValue)
        #expect(cases.count == 400)
        for oneCase in cases {
            let text = try #require(oneCase["text"]?.stringValue)
            let expression = try Expression(parsing: text)
            let selected = rows.indices.filter { index in expression.matches { rows[index][$0] } }
            #expect(selected == oneCase["rows"]?.arrayValue?.compactMap(\.intValue), "\(text)")
        }
    }

    private func value(of text: String, _ row: [String: JSONValue] = [:]) throws -> Bool? {
        try Expression(parsing: text).evaluate { row[$0] }
    }

    @Test func truthValuesOfKeys() throws {
        let row: [String: JSONValue] = ["yes": true, "no": false, "n": 1, "nothing": .null, "list": [1, 2]]
        #expect(try value(of: "yes", row) == true)
        #expect(try value(of: "not no", row) == true)
        #expect(try value(of: "n", row) == false)
        #expect(try value(of: "nothing or yes", row) == true)
        #expect(try value(of: "nothing and no", row) == false)
        #expect(try value(of: "nothing", row) == nil)
        #expect(try value(of: "not missing.key", row) == nil)
        #expect(try value(of: "missing.key is null", row) == true)
        #expect(try value(of: "yes = true and no = FALSE and no < yes", row) == true)
        #expect(try value(of: "list = list and not (list = n)", row) == true)
    }

    /// Values of different types are unequal and have no order.
    @Test func typesDoNotMix() throws {
        let row: [String: JSONValue] = ["text": "1", "number": 1, "flag": true]
        #expect(try value(of: "text = number", row) == false)
        #expect(try value(of: "text != number", row) == true)
        #expect(try value(of: "text < number", row) == nil)
        #expect(try value(of: "flag = 1", row) == false)
        #expect(try value(of: "number = 1.0 and number in (1.0)", row) == true)
    }

    @Test func bindingStrength() throws {
        #expect(
            try Expression(parsing: "a or b and not c")
                == Expression(parsing: "(a) or ((b) and (not (c)))").moved(to: Expression(parsing: "a or b and not c")))
        #expect(try value(of: "true or false and false") == true)
        #expect(try value(of: "(true or false) and false") == false)
        #expect(try value(of: "not false and false") == false)
    }

    @Test func keysAndTexts() throws {
        let expression = try Expression(parsing: "metrics.gfid@fashion-cnn < 12 and name in (\"a \"\"b\"\"\", 'it''s')")
        #expect(expression.keys.map(\.path) == ["metrics.gfid@fashion-cnn", "name"])
        #expect(expression.keys.map(\.offset) == [0, 34])
        #expect(expression.matches { $0 == "name" ? "a \"b\"" : 3 })
        #expect(expression.matches { $0 == "name" ? "it's" : 3 })
    }

    @Test(arguments: [
        ("a == and b", 5, "expected a value after '==', found 'and'"),
        ("a = 1 b = 2", 6, "expected 'and', 'or' or the end, found 'b'"),
        ("(a = 1", 6, "expected ')', 'and' or 'or', found the end"),
        ("a in 3", 5, "expected '(' after 'in', found 3"),
        ("a in ('x', y)", 11, "the list after 'in' holds values, not keys; texts stand in quotes"),
        ("a is 3", 5, "expected 'null' after 'is', found 3"),
        ("a = null", 0, "nothing is = null; write 'is null' or 'is not null'"),
        ("a = 'x", 4, "the text that begins here has no closing '"),
        ("a && b", 2, "'&' means nothing here; write and"),
        ("a = 12px", 4, "'12px' is not a number; quote it if it is text"),
        ("a..b = 1", 0, "the key 'a..b' has an empty part"),
        ("'x' and b", 0, "a value alone is no condition; compare it with a key"),
        ("", 0, "expected a key or a value, found the end"),
        ("é = 1 or ü ?", 11, "'?' means nothing here"),
    ])
    func mistakesGetACaret(text: String, offset: Int, message: String) {
        #expect(throws: InputError("\(message)\n  \(text)\n  \(String(repeating: " ", count: offset))^")) {
            try Expression(parsing: text)
        }
    }

    @Test func excessIsRefused() {
        let deep = String(repeating: "(", count: 100_000) + "a" + String(repeating: ")", count: 100_000)
        let long = Array(repeating: "a", count: 100_000).joined(separator: " or ")
        let negated = String(repeating: "not ", count: 5_000) + "a"
        for text in [deep, long, negated] { #expect(throws: InputError.self) { try Expression(parsing: text) } }
    }
}

extension Expression {
    /// This tree with the key offsets of another of the same shape, so that only the shape is compared.
    fileprivate func moved(to other: Expression) -> Expression {
        switch (self, other) {
        case (.or(let a, let b), .or(let c, let d)): .or(a.moved(to: c), b.moved(to: d))
        case (.and(let a, let b), .and(let c, let d)): .and(a.moved(to: c), b.moved(to: d))
        case (.not(let a), .not(let b)): .not(a.moved(to: b))
        case (.truth(.key(let a)), .truth(.key(let b))) where a.path == b.path: other
        default: self
        }
    }
}

@Suite struct QueryTests {
    @Test func clauses() throws {
        let query = try Query(parsing: "metrics.gfid < 12 and status = 'done' ORDER BY metrics.gfid, name DESC, n asc LIMIT 20")
        #expect(query.filter?.keys.map(\.path) == ["metrics.gfid", "status"])
        #expect(query.order.map(\.key.path) == ["metrics.gfid", "name", "n"])
        #expect(query.order.map(\.descending) == [false, true, false])
        #expect(query.limit == 20)
        #expect(query.keys.count == 5)
    }

    @Test func everyPartIsOptional() throws {
        let empty = try Query(parsing: "  ")
        #expect(empty.filter == nil && empty.order.isEmpty && empty.limit == nil)
        #expect(try Query(parsing: "limit 3").limit == 3)
        #expect(try Query(parsing: "order by a").order.count == 1)
        #expect(try Query(parsing: "a = 1").filter != nil)
    }

    @Test(arguments: [
        ("a = 1 order a", 12, "expected 'by', found 'a'"),
        ("order by", 8, "expected a key to order by, found the end"),
        ("limit 0", 6, "expected a whole number from 1 on, found 0"),
        ("limit 2.5", 6, "expected a whole number from 1 on, found 2.5"),
        ("a = 1 limit 3 order by a", 14, "expected the end, found 'order'"),
        ("order by a b", 11, "expected ',', 'limit' or the end, found 'b'"),
        ("a = 1 b", 6, "expected 'and', 'or', 'order by', 'limit' or the end, found 'b'"),
    ])
    func mistakesGetACaret(text: String, offset: Int, message: String) {
        #expect(throws: InputError("\(message)\n  \(text)\n  \(String(repeating: " ", count: offset))^")) {
            try Query(parsing: text)
        }
    }
}
