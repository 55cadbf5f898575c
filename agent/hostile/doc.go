// Package hostile attacks a real gateway. Its tests run travelerd on Debian's
// Mosquitto, open to everybody, let people work at two honest stations, and have a
// foe speak the protocol wrongly, or too much, in every way that the list here
// knows. Nothing is exported and nothing but tests stands here.
//
// The list is in outsider_test.go (a way to the broker and no key), doors_test.go
// (what a client can do to a broker that asks nobody who he is) and
// insider_test.go (an enrolled key with the roles gateway and witness). Each attack
// has a name and says what it tries. Messages are paced to what a station's cable
// carries beside honest traffic; all dice come from one seed. The target has the
// environment that its unit gives it. Its memory is held against the most that it
// needs to work and to take what a gateway brings that comes back.
//
//	go test ./agent/hostile                                            every attack for a moment
//	go test ./agent/hostile -v -timeout 30m -attack 10m                the long form, with a table
//	go test ./agent/hostile -v -timeout 30m -attack 10m -attacks=wills one of them, for ten minutes
//
// # What is bounded
//
// Whatever arrives:
//
//   - Every honest scan is answered, with the right light. It waits at most for
//     the commit under way and shares the next one.
//   - Memory: messages wait in a queue bounded in bytes, claims, wants, strangers,
//     askers and refusals in lists bounded in number.
//   - The journal: one line a minute for each cause of dropped messages; outages of
//     one kind and items in conflict six times a minute, the others counted.
//   - Questions that lies lead to: each claim is asked for eight times with growing
//     waits, whatever comes back. Eight are kept of one author: who lies about a chain
//     as fast as that holds up news of its side branches, for a few minutes.
//   - Answers: eight a second for one asker, 32 for all, strangers as if they were
//     one; those that go on where an asker's last one ended, 256 for all.
//   - Names: evidence needs two signatures of the key that it names. What is
//     spoilt or forged names nobody.
//
// # What is not
//
//   - An enrolled key may seal. Every valid block of it counts and is kept by all,
//     so the store grows at the pace of its flood until the key is revoked; each
//     commit takes what waits of it in one batch, and a scan's own block goes into
//     the same commit. When evidence names it, it is asked for and served last,
//     once a second.
//   - Lies without a signature cost what they are: an unneeded question, and a
//     number on a page. Lag and the claimed height of a gateway are claims of who
//     says so; a journal may say sync.behind while nothing is missing. Nothing at
//     the station depends on them.
//   - On a broker that asks nobody who he is, anyone can take the client id of a
//     gateway and end its sessions, publish under its topics, and empty what is
//     retained. Work goes on, since no scan waits for the broker; news is late,
//     as late as the taker likes. Certificates with the access list that
//     `traveler` writes for Mosquitto end this: the broker then knows each client
//     by its certificate and lets it speak under its own key only.
//   - The machine's own processor and cable can be filled from outside by who may
//     reach its port. That is the switch's and the broker's to stop.
package hostile
