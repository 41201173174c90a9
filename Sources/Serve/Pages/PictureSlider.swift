/// Columns of small pictures, all of which one slider changes together. Each picture leads to a page of its own, whose address with
/// `.png` behind it is the picture's.
struct PictureSlider {
    struct Column {
        let title: String
        /// What the addresses of its pictures begin with.
        let base: String
        /// Of each place in the column and each position of the slider the rest of the address; empty where there is no picture.
        let pictures: [[String]]
        /// Shown where there are no pictures.
        var remark = "not yet"
    }

    /// In ids of the page.
    let id: String
    /// What the slider moves over.
    let name: String
    let positions: [String]
    let columns: [Column]
    /// The first position shown.
    var position = 0

    var html: HTML {
        guard positions.indices.contains(position) else { return .empty }
        let figures = columns.map { column -> HTML in
            guard column.pictures.contains(where: { $0.contains { !$0.isEmpty } }) else {
                return "<figure><p>\(column.remark)</p><figcaption>\(column.title)</figcaption></figure>\n"
            }
            let pictures = column.pictures.filter { $0.contains { !$0.isEmpty } }.enumerated().map { place, addresses -> HTML in
                let first = addresses[position]
                let address = column.base + first
                return """
                    <a data-base="\(column.base)" data-places="\(addresses.joined(separator: " "))" href="\(address)"\(first.isEmpty ? " hidden" as HTML : .empty)>\
                    <img class="pixels" src="\(first.isEmpty ? "/icon.svg" : address + ".png")" alt="\(column.title), picture \(place + 1)"></a>
                    """
            }
            return "<figure><div class=\"tiles\">\(pictures)</div><figcaption>\(column.title)</figcaption></figure>\n"
        }
        return """
            <form><label>\(name) <input type="range" min="0" max="\(positions.count - 1)" value="\(position)" \
            data-names="\(positions.joined(separator: "\n"))" data-moves="\(id)" aria-describedby="\(id)-shown"></label>\
            <output id="\(id)-shown">\(positions[position])</output></form>
            <div class="pictures" id="\(id)" tabindex="0" role="group" aria-label="\(name)">\(figures)</div>

            """
    }
}
