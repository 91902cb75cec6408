// Package accesslog is the proxy's log: a line for each request (package record
// has its formats) and for each event. A log that nobody takes stops nobody: what
// does not fit is dropped and counted.
package accesslog
