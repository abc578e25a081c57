"""From pictures to TFRecords: the command `to_tfrecord.py`, its sources, and MATLAB's bicubic."""
