// Package acme orders certificates from any authority that speaks ACME (RFC 8555).
//
//	directory                        the authority's addresses, terms, profiles
//	account                          the kept one, or a new one: terms agreed, EAB if wanted
//	order                            names, profile, and what it replaces (RFC 9773)
//	for each name: one challenge     answered by exactly one solver
//	finalize, download               the key never left this process
//
// The answer to HTTP-01 is the token and the thumbprint of the account's key, which
// never changes: a front answers with a static rule, and nothing is presented here
// unless there is no front yet (Responder). An authority takes a failed challenge off
// a small allowance, so one attempt tries one type of challenge and none twice.
//
// github.com/mholt/acmez does the protocol and manages nothing: keys, accounts and
// certificates are kept in certs/store, and what was asked of which address and how
// long to wait is remembered here (transport).
package acme
