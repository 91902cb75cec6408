// Package accesslog is the proxy's log: a line for each request (package record
// has its formats) and for each event. A log that is not read stops nothing: what does
// not fit is dropped and counted.
package accesslog
