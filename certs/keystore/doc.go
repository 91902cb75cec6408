// Package keystore reads certificates and private keys out of what companies keep
// them in: PKCS#12 (.pfx, .p12), Java's JKS and JCEKS, PKCS#7 (.p7b), and plain DER.
// It is pure: bytes and passwords in, certificates and keys out.
//
// How a file is read:
//
//	limits        1 MiB, 10,000 entries, 40 levels, a budget of hash rounds for all
//	              passwords together: a file cannot keep bitgate busy
//	content       decides the format; names lie (Java writes PKCS#12 into .jks)
//	BER to DER    PKCS#12 and PKCS#7 of Java programs come in indefinite lengths
//	integrity     the password that the file's own checksum accepts is the one
//	entries       each key with its certificates under its alias, then the rest
//
// A password is tried where one is needed, the empty one always. Where none fits, a
// LockedError says whether one was given. A key that has a password of its own is
// an entry that is Locked: its certificates are there.
//
// The PKCS#12 reader is not that of go-pkcs12, which writes the files here and is
// the tests' second opinion: it reads one key a file, DER only, and as many rounds
// as the file asks for.
package keystore
