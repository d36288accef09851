"""The daemon: one live account, from its start to its end.

run            the order of starting and stopping
opening        how an account begins: anew, where the journal left off, in a new segment
recovery       recorded turns played again          segments   what a segment is opened with
inbox          what is admitted next                committer  each turn to the journal
running        the parts of a running daemon
monitor        who is told of a turn                display    what the status page is given
notifications  messages to people
"""
