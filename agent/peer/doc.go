// Package peer is the protocol by which gateways keep each other's chains: a
// pure machine, messages in and messages out. It performs no I/O, reads no
// clock and starts no goroutine; [Machine.Step] is told the time, what the
// replica holds and what happened, and answers with effects in the order in
// which they are to be carried out.
//
// # What it promises
//
// Duplicates, loss and reordering are assumed everywhere, and the broker is not
// trusted. Every message is either a signed object, which the replica judges,
// or a hint (ask, give's envelope, roster, status) that costs at most an
// unneeded question when it lies. Whatever is lost shows again in the next
// status, frontier or comparison of heads, so nothing rests on one message or
// on the broker's memory. Only what the replica reported as committed is ever
// published. The machine's memory is bounded by the roster and by the constants
// of this package, whatever arrives.
//
// # The wire
//
// Transport: MQTT 3.1.1 (OASIS, 2014), QoS 1. N is the network id: topics start
// with "traveler/1/" and its first 8 bytes as 16 lower-case hexadecimal digits;
// key ids are 32 such digits.
//
//	topic                       retained  payload
//	<prefix>/block/<author>     no        a block, its raw bytes
//	<prefix>/frontier/<witness> full ones a frontier, its raw bytes
//	<prefix>/ask/<gateway>      no        Ask, to the gateway named
//	<prefix>/give/<gateway>     no        Give, to the gateway named
//	<prefix>/roster             yes       Heads: roster heads of the sender
//	<prefix>/evidence/<author>  yes       evidence, its raw bytes
//	<prefix>/status/<gateway>   yes       Status of the gateway named; also its will
//
// Ask, Give, Heads and Status are CBOR in the canonical form of blocks (RFC 8949
// §4.2.1): integer-keyed maps whose absent, zero and empty fields are left out.
// A receiver checks size, decodes, encodes again and refuses on difference.
// Sets are sorted ascending by their bytes and name nothing twice.
//
//	Ask (at most 16 KiB)
//	 1 from     bytes 16         the gateway that asks; the answer goes to its give topic
//	 2 ranges   array, ≤ 64      [author bytes 16, from uint, to uint]: every block held
//	                             of author at heights from…to, on all branches; 1 ≤ from ≤ to
//	                             ≤ 2^48; sorted by author, one range an author
//	 3 hashes   set, ≤ 128       blocks and statements by hash
//	 4 have     set, ≤ 48        statements that the asker holds: with the statements asked
//	                             for come those they build on, and not those that these build on
//	 5 authors  set, ≤ 64        authors whose branch heads are asked for
//	 6 all      uint 1           the branch heads of all authors are asked for
//	 7 after    bytes 16         with all: only of authors after this one
//
//	Give (at most 72 KiB; to 64 KiB, but always at least one object)
//	 1 from       bytes 16       the gateway that answers
//	 2 statements array, ≤ 1024  raw statements, each after those it builds on
//	 3 blocks     array, ≤ 1024  raw blocks, those of one author ascending by height, hash
//	 4 told       set, ≤ 64      authors of whom all branch heads held stand in heads,
//	                             and none if none is held
//	 5 heads      array, ≤ 512   [author, height, hash], sorted so
//	 6 next       bytes 16       answer to all: heads of authors after this one are left
//	 7 more       uint 1         the asker wanted more, and it is held, than has room here
//
// An ask is always answered, by an empty Give (from alone) if nothing of it is
// held; unless the asker asks too fast, when only its latest ask is kept until
// its turn. What is asked for and neither given nor announced by more is not
// held. Numbers above these are reserved (8: blocks whose bodies were dropped).
//
//	Heads (at most 1 KiB)
//	 1 from     bytes 16         a gateway that holds them
//	 2 heads    set, ≤ 16        roster heads
//
//	Status (at most 1 KiB)
//	 1 height   uint             height of the own chain's highest head; absent: none
//	 2 head     bytes 32         its hash (of several the lowest); present with height
//	 3 roster   set, ≤ 16        roster heads
//	 4 held     bytes 8          first 8 bytes of SHA-256 over the canonical array of all
//	                             branch heads held, sorted by author, height, hash
//	 5 offline  uint 1           the gateway is not connected (will, or orderly end)
//
// # The rules
//
//   - Own blocks go out on block/<own> once durable. Those sealed without a
//     connection follow when there is one, in order and before the status, up to
//     256 of them; after more than that peers ask for them by the status.
//   - Status goes out after connecting, at most one second after the roster
//     changed, three after the own head did unless a frontier of another gateway
//     has named that head by then, and every minute.
//   - Whatever names a block that is not held (status, frontier, a block that
//     does not link, told heads, evidence) is a claim. Claims are asked for after
//     a short wait, since the block may be on its way: heights after the highest
//     held, from the one who claims, then from others, with growing waits. When
//     the blocks given do not link, the range starts 1, 2, 4, 8… lower until they
//     do. A batch that brought progress is followed by the next ask at once; once
//     one has, the next range is asked for before the last is committed, but no
//     more than one.
//   - Statuses with unlike held lead, about once a minute, to an ask for all
//     heads: what only non-witnesses hold of absent gateways is found so.
//   - One ask at a time is outstanding with a gateway, eight in all. A gateway
//     answers an asker 8 times a second in the long run, all askers together 32
//     times, strangers to the roster as if they were one. An ask of a gateway in
//     the roster for blocks alone, all of them held and above what it was given
//     before, is outside of that: 64 a second, all askers together. So a chain is
//     gone through once in ten minutes as fast as both sides can, and what is asked
//     for again and again is paced. Authors under evidence and revoked ones are
//     asked for and served last, once a second.
//   - A witness's frontier names the heads that its replica holds. A full one is
//     retained and goes out after connecting, when a gateway comes that missed
//     what was said before, and every ten minutes; partial ones in between as
//     things change, no sooner than max(2 s, W·N/300 s) after the
//     last, jittered. Of an author with more than eight heads eight are named in
//     turn.
//
// # The start gate
//
// A gateway may have lost the end of its chain with its card. It seals nothing
// until [Ready]: one peer has told its heads of this gateway's chain and what
// lacks here is back, or no broker was connected within one second, or three
// seconds passed since the start or since the last block that came back.
package peer
