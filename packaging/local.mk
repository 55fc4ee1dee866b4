# Not installed by "make install": packages put these where their distribution wants them.
EXTRA_DIST += packaging/systemd/sallyport.service packaging/systemd/sallyport-connector.service \
  packaging/systemd/sallyport.sysusers.conf packaging/logrotate/sallyport
