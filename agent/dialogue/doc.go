// Package dialogue holds the golden dialogues of the protocol: pages of text
// under testdata that show, for one case each, what people do at a few gateways
// and what the gateways then say to each other, on their lights and in their
// journals. They are for reading as much as for testing. Nothing is exported:
// the tests of this package play the pages with the product's own gateways
// (agent.Agent on replicas in memory) in the virtual time of testing/synctest;
// only reader, scale, light and broker are simulated. A page that says something
// else than the gateways fails; `go test ./agent/dialogue -rewrite` writes what
// they say into the pages.
//
// # A page
//
// Lines that begin with # are prose. A paragraph of other lines is a step:
// commands, a line ----, and what came of them. An indented line belongs to the
// command above it.
//
// A line of output names the gateway first, then what it did:
//
//	drill   seals   drill/1 [accept 10 of T-1]     durable in its chain
//	drill   light   GREEN ACCEPTED T-1 tag T-1: …  what light and terminal show
//	drill   journal item.conflict: …               an event that is no scan
//	drill → *       block drill/1                  published for all
//	drill → mill    ask mill 2..3                  sent to one
//
// Block 3 of drill's chain is drill/3, another one at that height drill/3′.
// Roster statements are s1, s2 … in the order in which they were made. Scans are
// left out of the journal's lines, for the light says the same. Statuses and
// frontiers are left out unless a page asks for them with show.
//
// With “notes=yes” the tags of a network have memory, and hand-off notes pass on
// them; the bytes are seen only by what the gateways say of them.
//
// A step that begins with network sets the scene; what is said there is left out.
//
// # Time
//
// After every command three seconds pass, so that a person has walked on, and
// messages take a millisecond each, one after the other. “in=” gives another
// time. While a page holds messages back, they arrive when it says so.
package dialogue
