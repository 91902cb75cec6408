// Package exchange carries out one request after the other:
//
//	serve    is its client within its rate, and what do the rules say? (package rules)
//	admit    wait for a slot at a server (package pool)
//	forward  get a connection to the server, a kept one if the request may be sent
//	         twice, and try again elsewhere where none can be made
//	attempt  send the head, pass the body on beside the answer
//	answer   pass interim answers on, then the final one: its head, then its body,
//	         as it comes; or join both sides after 101
//	done     keep or close the server's connection, log and count
//
// It is straight-line code in a coroutine of an event loop (package loop). The
// client's half is behind the interface Client, so HTTP/1.1 and HTTP/2 are the same
// here. When either side goes away, everything that waits for it is woken.
package exchange
