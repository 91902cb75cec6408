// Package caa asks DNS whether an authority may issue for a name (CAA records, RFC
// 8659), as the authority itself will before it issues: the record set nearest to the
// name counts, and one that cannot be had counts as a no. The extensions of RFC 8657
// (accounturi, validationmethods) are read too. The resolver of the Go library knows no
// such records, so that messages are made here.
package caa
