extension PackVerifier { static func metrics(_ c: inout PackComparison) throws {} }
