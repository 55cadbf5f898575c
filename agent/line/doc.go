// Package line is a line of real gateways on one machine: every station is a
// travelerd process with its own directory, key, profile and replica, reached by
// a PN532 (and a scale) emulated at the level of the wire and seen by its light.
// Only the people and the things they carry are played.
//
// [Line] is the stage: it founds the network, starts and kills the gateways,
// pulls cables and keeps the people's log, every light that was seen. [Run] is
// the play: people at every station carry housings, pins and covers from intake
// to the dock, with the faults that they are told to live with, and what they
// saw is held against the replicas afterwards.
package line
