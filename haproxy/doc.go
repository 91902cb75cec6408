// Package haproxy reads, merges and renders haproxy.cfg. It touches no file and
// no process: bytes in, splices out.
//
// A set of files is parsed once (Config), into lines of words that keep their
// offsets; lines of bitgate's are nodes of it that know their owner. A merge
//
//	looks at the set as if bitgate had never been there
//	makes comments of hand-made sections that ours replace    (adopt)
//	decides how each wanted address is served                  (bindings):
//	    nobody binds it             -> a frontend of our own
//	    a section speaks HTTP there -> rules for our name and path in it
//	    a section forwards bytes    -> a rule for our name, to a frontend of
//	                                   our own on a loopback address
//	    else                        -> refused, with file and line
//	judges every line of such a section, and of the defaults it inherits
//	    from, by its effect (rules.go) on the requests that Bitbucket gets
//	    (requests.go), as far as its condition can be decided (evaluator.go)
//	renders our sections, and puts rules and sections into a draft of each
//	    file; what stands between two lines that stay is compared with what
//	    is to stand there, which gives the splices               (draft.go)
//
// so that merging twice changes nothing, and Remove gives every byte back.
//
// WayFrom (way.go) asks the same evaluator where a section leads one request as the files
// stand, for a diagnosis.
package haproxy
