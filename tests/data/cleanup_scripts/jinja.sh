find /tmp/layer/python/ -type f -name "*.so" | xargs -r
find /tmp/layer/python/ -name "*.pyc" -delete
